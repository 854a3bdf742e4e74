/** Progress on a terminal. */
@NullMarked
package io.github.sharnn.cli.progress;

import org.jspecify.annotations.NullMarked;
