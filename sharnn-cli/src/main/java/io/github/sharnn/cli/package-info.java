/** The command line, built as {@code sharnn.jar}. */
package io.github.sharnn.cli;
