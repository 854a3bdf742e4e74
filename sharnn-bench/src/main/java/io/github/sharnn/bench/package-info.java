/** Benchmarks of training steps and generation, and the check against the reference's numbers. */
@NullMarked
package io.github.sharnn.bench;

import org.jspecify.annotations.NullMarked;
