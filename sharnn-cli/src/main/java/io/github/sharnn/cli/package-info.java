/** The command line, built as {@code sharnn.jar}. */
@NullMarked
package io.github.sharnn.cli;

import org.jspecify.annotations.NullMarked;
