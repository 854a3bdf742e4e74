package io.github.sharnn.train.optim;

import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.core.Embedding;
import ai.djl.nn.transformer.IdEmbedding;
import io.github.sharnn.SHARNN;
import io.github.sharnn.Weight;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The groups of a block's parameters. {@link Weight#of} has those of a {@link SHARNN}. In other
 * blocks the parameters of an {@link Embedding} or {@link IdEmbedding} are embeddings, other
 * parameters with two axes are hidden matrices.
 */
final class ParameterGroups {

  private final Map<String, Weight.Group> groups = new HashMap<>(); // by DJL's id, and by path

  private ParameterGroups() {}

  static ParameterGroups of(Block block) {
    ParameterGroups groups = new ParameterGroups();
    groups.add(block);
    for (var pair : block.getParameters()) {
      Weight.@Nullable Group group = groups.groups.get(pair.getValue().getId());
      if (group != null) {
        groups.groups.put(pair.getKey(), group);
      }
    }
    return groups;
  }

  private void add(Block block) {
    if (block instanceof SHARNN model) {
      List<Parameter> parameters = model.getParameters().values();
      List<Weight> weights = Weight.of(model.config());
      for (int i = 0; i < weights.size(); i++) {
        groups.put(parameters.get(i).getId(), weights.get(i).group());
      }
      return;
    }
    if (block instanceof Embedding || block instanceof IdEmbedding) {
      for (Parameter parameter : block.getDirectParameters().values()) {
        groups.put(parameter.getId(), Weight.Group.EMBEDDING);
      }
    }
    block.getChildren().values().forEach(this::add);
  }

  Weight.Group group(String id, Shape shape) {
    Weight.@Nullable Group group = groups.get(id);
    return group == null ? byShape(shape) : group;
  }

  static Weight.Group byShape(Shape shape) {
    return shape.dimension() == 2 ? Weight.Group.MATRIX : Weight.Group.OTHER;
  }
}
