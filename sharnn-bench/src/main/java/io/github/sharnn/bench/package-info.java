/** Benchmarks of training steps and generation, and the check against the reference's numbers. */
package io.github.sharnn.bench;
