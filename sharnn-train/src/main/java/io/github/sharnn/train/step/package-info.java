/** One training step: the loss, forward and backward with carried state. */
package io.github.sharnn.train.step;
