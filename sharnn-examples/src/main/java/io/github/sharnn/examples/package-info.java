/** The {@link io.github.sharnn.examples.Quickstart} and short programs to copy. */
@NullMarked
package io.github.sharnn.examples;

import org.jspecify.annotations.NullMarked;
