/** The output layer: tied or untied logits, and the adaptive softmax of a large vocabulary. */
package io.github.sharnn.softmax;
