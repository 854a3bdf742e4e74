/** Option groups that several commands share. */
@NullMarked
package io.github.sharnn.cli.options;

import org.jspecify.annotations.NullMarked;
