/** Progress of a run: a line for people, meters for a monitoring system. */
@NullMarked
package io.github.sharnn.train.progress;

import org.jspecify.annotations.NullMarked;
