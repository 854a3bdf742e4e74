/** Checkpoints: when a run saves them, how they are written, checked and read. */
@NullMarked
package io.github.sharnn.train.checkpoint;

import org.jspecify.annotations.NullMarked;
