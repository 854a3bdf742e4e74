/** Token-by-token computation with a key-value cache. */
@NullMarked
package io.github.sharnn.decode;

import org.jspecify.annotations.NullMarked;
