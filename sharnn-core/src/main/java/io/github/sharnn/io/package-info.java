/** Files: written atomically; safetensors, read with every length checked. */
@NullMarked
package io.github.sharnn.io;

import org.jspecify.annotations.NullMarked;
