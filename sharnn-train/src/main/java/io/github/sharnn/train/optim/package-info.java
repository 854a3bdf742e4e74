/** Optimizers, schedules, averages, gradient clipping and mixed precision. */
@NullMarked
package io.github.sharnn.train.optim;

import org.jspecify.annotations.NullMarked;
