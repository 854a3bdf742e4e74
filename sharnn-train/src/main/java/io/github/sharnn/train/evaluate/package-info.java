/** Evaluation and dynamic evaluation of a corpus. */
package io.github.sharnn.train.evaluate;
