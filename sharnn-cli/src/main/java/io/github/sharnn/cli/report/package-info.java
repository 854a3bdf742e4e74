/** A run's metrics, samples and report. */
@NullMarked
package io.github.sharnn.cli.report;

import org.jspecify.annotations.NullMarked;
