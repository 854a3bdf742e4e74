/** A run's metrics, samples and report. */
package io.github.sharnn.cli.report;
