/** Corpora, token files and the batches that training reads. */
@NullMarked
package io.github.sharnn.train.data;

import org.jspecify.annotations.NullMarked;
