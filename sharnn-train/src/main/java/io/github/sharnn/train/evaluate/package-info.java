/** Evaluation and dynamic evaluation of a corpus. */
@NullMarked
package io.github.sharnn.train.evaluate;

import org.jspecify.annotations.NullMarked;
