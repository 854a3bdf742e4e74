/** One training step: the loss, forward and backward with carried state. */
@NullMarked
package io.github.sharnn.train.step;

import org.jspecify.annotations.NullMarked;
