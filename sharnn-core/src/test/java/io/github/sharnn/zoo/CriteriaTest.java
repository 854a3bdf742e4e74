package io.github.sharnn.zoo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.engine.Engine;
import ai.djl.inference.Predictor;
import ai.djl.modality.Input;
import ai.djl.modality.Output;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.core.Linear;
import ai.djl.repository.Repository;
import ai.djl.repository.zoo.Criteria;
import ai.djl.repository.zoo.ModelNotFoundException;
import ai.djl.repository.zoo.ZooModel;
import ai.djl.translate.TranslateException;
import io.github.sharnn.NDArrayAssert;
import io.github.sharnn.SHARNN;
import io.github.sharnn.TestModels;
import io.github.sharnn.generate.GenerationBatch;
import io.github.sharnn.generate.GenerationTranslator;
import io.github.sharnn.generate.SHARNNGenerator;
import io.github.sharnn.score.Score;
import io.github.sharnn.score.Scorer;
import io.github.sharnn.score.ScoringTranslator;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A folder that {@code Model.save} left, loaded by DJL's own means. */
class CriteriaTest {

  private static final int LENGTH = 40;

  @TempDir private Path temporary;
  private Path folder;

  @BeforeEach
  void save() throws Exception {
    folder = temporary.resolve("a model's folder");
    SHARNN block = TestModels.tiny().vocabularySize(128).build();
    try (Model model = block.newModel("book")) {
      TestModels.initialized(block, model.getNDManager(), DataType.FLOAT32, 1, new Shape(1, 1));
      model.save(folder, null);
    }
  }

  private static Criteria.Builder<String, String> criteria(Path folder) {
    return Criteria.builder().setTypes(String.class, String.class).optModelPath(folder);
  }

  private String generated(String prompt) throws Exception {
    try (Model model = SHARNN.load(folder)) {
      return SHARNNGenerator.builder(model).seed(42).length(LENGTH).build().generate(prompt);
    }
  }

  private void set(String option, String value) throws IOException {
    Path properties = folder.resolve("serving.properties");
    String own =
        Files.readString(properties).replaceFirst("#" + option + "=.*", option + "=" + value);
    assertThat(own).contains("\n" + option + "=" + value + "\n");
    Files.writeString(properties, own);
  }

  private static String guide() throws IOException {
    return Files.readString(Path.of("../docs/onnx-and-serving.md"));
  }

  /** The guide's own program, compiled with nothing but DJL's API. */
  @Test
  void a_program_that_knows_only_djl_generates_the_text() throws Exception {
    set("length", String.valueOf(LENGTH));
    Matcher program =
        Pattern.compile("```java\\n(import ai\\.djl\\.[^`]*class Continue [^`]*)```")
            .matcher(guide());
    assertThat(program.find()).isTrue();
    String code = program.group(1);
    assertThat(code).contains("Path.of(\"book-model\")").doesNotContain("sharnn");
    Path source = temporary.resolve("Continue.java");
    Files.writeString(source, code.replace("book-model", folder.toString()));
    URL djl = Criteria.class.getProtectionDomain().getCodeSource().getLocation();
    ByteArrayOutputStream messages = new ByteArrayOutputStream();
    int status =
        ToolProvider.getSystemJavaCompiler()
            .run(
                null,
                messages,
                messages,
                "-Xlint:all",
                "-Werror",
                "-proc:none",
                "-classpath",
                Path.of(djl.toURI()).toString(),
                source.toString());
    assertThat(status).as(messages.toString(StandardCharsets.UTF_8)).isZero();

    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    PrintStream out = System.out;
    URL[] classes = {temporary.toUri().toURL()};
    try (URLClassLoader loader = new URLClassLoader(classes, getClass().getClassLoader())) {
      System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
      loader
          .loadClass("Continue")
          .getMethod("main", String[].class)
          .invoke(null, (Object) new String[0]);
    } finally {
      System.setOut(out);
    }
    assertThat(printed.toString(StandardCharsets.UTF_8))
        .isEqualTo(generated("The old man ") + "\n");
  }

  @Test
  void gives_the_model_that_was_saved() throws Exception {
    try (NDManager manager = NDManager.newBaseManager();
        Model loaded = SHARNN.load(folder);
        ZooModel<String, String> model = criteria(folder).build().loadModel()) {
      NDArray tokens = manager.create(new long[] {1, 2, 127}, new Shape(1, 3));
      assertThat(SHARNN.of(model).config()).isEqualTo(SHARNN.of(loaded).config());
      assertThat(model.getName()).isEqualTo(folder.getFileName().toString());
      assertThat(model.getProperty(SHARNN.CONFIG_PROPERTY))
          .isEqualTo(loaded.getProperty(SHARNN.CONFIG_PROPERTY));
      NDArrayAssert.assertThat(TestModels.logits(SHARNN.of(model), manager, tokens))
          .isExactly(TestModels.logits(SHARNN.of(loaded), manager, tokens));
      assertThat(loaded.getArtifactNames())
          .containsExactlyInAnyOrder(
              "config.json", "model.safetensors", "SHA256SUMS", "serving.properties", "README.md");
    }
  }

  /** With the types, and in the way, that DJL Serving does. */
  @Test
  void serves_as_djl_serving_does() throws Exception {
    set("length", String.valueOf(LENGTH));
    try (ZooModel<Input, Output> model =
            Criteria.builder()
                .setTypes(Input.class, Output.class)
                .optModelUrls(folder.toUri().toURL().toString())
                .optModelName("served")
                .optEngine("PyTorch")
                .build()
                .loadModel();
        Predictor<Input, Output> predictor = model.newPredictor()) {
      Input request = new Input();
      request.add("The old man ");
      Output answer = predictor.predict(request);
      assertThat(answer.getCode()).isEqualTo(200);
      assertThat(answer.getProperty("Content-Type", null)).isEqualTo("text/plain; charset=utf-8");
      assertThat(answer.getProperty("X-SHARNN-Seed", null)).isEqualTo("42");
      assertThat(answer.getData().getAsString()).isEqualTo(generated("The old man "));
      assertThatThrownBy(() -> predictor.predict(new Input()))
          .isInstanceOf(TranslateException.class)
          .hasMessageContaining("the request must have a prompt as its body");
    }
  }

  @Test
  void says_why_a_gpu_is_not_there() {
    assumeThat(Engine.getEngine("PyTorch").hasCapability("CUDA")).isFalse();
    assertThatIllegalArgumentException()
        .isThrownBy(() -> criteria(folder).optDevice(Device.gpu()).build().loadModel())
        .withMessageContaining("gpu0 was asked for, but is not there");
  }

  /** DJL's own reader would believe the lengths in the file. */
  @Test
  void reads_the_weights_with_everything_checked() throws Exception {
    Path file = folder.resolve("model.safetensors");
    byte[] bytes = Files.readAllBytes(file);
    Files.write(file, Arrays.copyOf(bytes, bytes.length - 1));
    assertThatThrownBy(() -> criteria(folder).build().loadModel())
        .isInstanceOf(IOException.class)
        .hasMessageContaining(file + " is damaged: its SHA-256 is ");
    Files.delete(file);
    assertThatThrownBy(() -> criteria(folder).build().loadModel())
        .isInstanceOf(NoSuchFileException.class)
        .hasMessageContaining(file.toString());
  }

  /** As DJL has it: the archive is unpacked into DJL's cache. */
  @Test
  void loads_an_archive_of_the_folder() throws Exception {
    Path zip = temporary.resolve("book.zip");
    try (ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(zip));
        Stream<Path> files = Files.list(folder)) {
      for (Path file : files.toList()) {
        out.putNextEntry(new ZipEntry("book/" + file.getFileName()));
        Files.copy(file, out);
      }
    }
    try (ZooModel<Input, Output> model =
            Criteria.builder()
                .setTypes(Input.class, Output.class)
                .optModelPath(zip)
                .build()
                .loadModel();
        Predictor<Input, Output> predictor = model.newPredictor()) {
      Input request = new Input();
      request.add("The old man ");
      assertThat(predictor.predict(request).getData().getAsString())
          .startsWith(generated("The old man "));
    }
  }

  @Test
  void a_folder_without_serving_properties_still_loads_in_one_line() throws Exception {
    Files.delete(folder.resolve("serving.properties"));
    assertThatThrownBy(() -> criteria(folder).build().loadModel())
        .isInstanceOf(ModelNotFoundException.class);
    SHARNN.load(folder).close();
  }

  /** This library is on the class path of programs that load others' models too. */
  @Test
  void other_folders_load_as_before() throws Exception {
    Path other = temporary.resolve("other");
    Block block = Linear.builder().setUnits(2).build();
    try (Model model = Model.newInstance("linear", "PyTorch")) {
      model.setBlock(block);
      block.initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, 3));
      model.save(other, null);
    }
    assertThat(other.resolve("serving.properties")).doesNotExist();
    try (ZooModel<NDList, NDList> model =
            Criteria.builder()
                .setTypes(NDList.class, NDList.class)
                .optModelPath(other)
                .optModelName("linear")
                .optBlock(Linear.builder().setUnits(2).build())
                .build()
                .loadModel();
        Predictor<NDList, NDList> predictor = model.newPredictor()) {
      NDArray input = model.getNDManager().ones(new Shape(1, 3));
      assertThat(predictor.predict(new NDList(input)).head().getShape()).isEqualTo(new Shape(1, 2));
    }
    Files.writeString(other.resolve("serving.properties"), "translatorFactory=some.Other");
    Repository simple = Repository.newInstance("other", other.toUri().toString());
    assertThat(simple.getResources()).hasSize(1);
    assertThat(simple.getResources().get(0).getDefaultArtifact().getArguments()).isEmpty();
    assertThat(Repository.newInstance("none", "file:" + temporary + "/none").getResources())
        .isEmpty();
  }

  @Test
  void a_repository_of_models_is_found_as_before() throws Exception {
    Path artifact = temporary.resolve("models/model/nlp/text_generation/some/group/thing");
    Files.createDirectories(artifact);
    Files.writeString(
        artifact.resolve("metadata.json"),
        """
        {"metadataVersion": "0.2", "resourceType": "model", "application": "nlp/text_generation",
         "groupId": "some.group", "artifactId": "thing", "name": "x",
         "artifacts": [{"version": "0.0.1", "name": "thing", "files": {}}]}
        """);
    Repository repository =
        Repository.newInstance("models", temporary.resolve("models").toUri().toString());
    assertThat(repository.getResources()).hasSize(1);
    assertThat(repository.getResources().get(0).getArtifactId()).isEqualTo("thing");
    Files.writeString(artifact.resolve("metadata.json"), "no json {");
    Repository broken =
        Repository.newInstance("models", temporary.resolve("models").toUri().toString());
    assertThat(broken.getResources().get(0).getArtifactId()).isEqualTo("models");
  }

  /** A ZooModel wraps the model that its Predictors run. */
  @Test
  void scores_and_generates_behind_a_predictor_of_its_own() throws Exception {
    try (ZooModel<String, String> model = criteria(folder).build().loadModel()) {
      Scorer scorer = Scorer.builder(model).build();
      try (Predictor<String, Score> predictor = model.newPredictor(new ScoringTranslator(scorer))) {
        assertThat(predictor.predict("hello")).isEqualTo(scorer.score("hello"));
      }
      SHARNNGenerator generator = SHARNNGenerator.builder(model).seed(42).length(LENGTH).build();
      try (Predictor<String, String> predictor =
          model.newPredictor(new GenerationTranslator(generator))) {
        assertThat(predictor.predict("hello")).isEqualTo(generated("hello"));
      }
      StringBuilder text = new StringBuilder();
      GenerationBatch.of(model.getWrappedModel()).add(generator, "hello", text::append).run();
      assertThat(text).hasToString(generated("hello"));
    }
  }
}
