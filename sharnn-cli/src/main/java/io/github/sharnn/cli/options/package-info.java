/** Option groups that several commands share. */
package io.github.sharnn.cli.options;
