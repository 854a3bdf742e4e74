/** Compression of files with a language model and an arithmetic coder. */
@NullMarked
package io.github.sharnn.cli.compress;

import org.jspecify.annotations.NullMarked;
