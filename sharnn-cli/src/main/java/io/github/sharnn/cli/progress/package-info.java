/** Progress on a terminal. */
package io.github.sharnn.cli.progress;
