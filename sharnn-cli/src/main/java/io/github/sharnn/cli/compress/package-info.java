/** Compression of files with a language model and an arithmetic coder. */
package io.github.sharnn.cli.compress;
