/** Token-by-token computation with a key-value cache. */
package io.github.sharnn.decode;
