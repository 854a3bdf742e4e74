/** Lines of a stream, their scores, and the table of them. */
@NullMarked
package io.github.sharnn.cli.lines;

import org.jspecify.annotations.NullMarked;
