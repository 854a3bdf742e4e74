/** The {@link io.github.sharnn.examples.Quickstart} and short programs to copy from. */
package io.github.sharnn.examples;
