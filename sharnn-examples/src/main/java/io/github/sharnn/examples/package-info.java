/** The {@link io.github.sharnn.examples.Quickstart} and short programs to copy from. */
@NullMarked
package io.github.sharnn.examples;

import org.jspecify.annotations.NullMarked;
