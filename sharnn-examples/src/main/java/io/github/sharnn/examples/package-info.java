/**
 * The command line ({@link io.github.sharnn.examples.Sharnn}, built as {@code sharnn.jar}), the
 * {@link io.github.sharnn.examples.Quickstart}, and short programs to copy from.
 */
package io.github.sharnn.examples;
