/** Trained models in jars. Start at {@link io.github.sharnn.pretrained.PretrainedModels}. */
@NullMarked
package io.github.sharnn.pretrained;

import org.jspecify.annotations.NullMarked;
