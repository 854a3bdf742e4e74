/** Optimizers, schedules, averages, gradient clipping and mixed precision. */
package io.github.sharnn.train.optim;
