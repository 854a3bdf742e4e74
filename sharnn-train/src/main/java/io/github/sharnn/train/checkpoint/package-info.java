/** Checkpoints: when a run saves them, how they are written, checked and read. */
package io.github.sharnn.train.checkpoint;
