/** The output layer: tied or untied logits, and the adaptive softmax of a large vocabulary. */
@NullMarked
package io.github.sharnn.softmax;

import org.jspecify.annotations.NullMarked;
