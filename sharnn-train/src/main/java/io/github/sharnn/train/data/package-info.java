/** Corpora, token files and the batches that training reads. */
package io.github.sharnn.train.data;
