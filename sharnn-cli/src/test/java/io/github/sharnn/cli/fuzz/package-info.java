/**
 * One coverage-guided fuzz test for each reader of files of unknown origin. Without the variable
 * JAZZER_FUZZ, each runs only the inputs in its folder of the test resources.
 */
package io.github.sharnn.cli.fuzz;
