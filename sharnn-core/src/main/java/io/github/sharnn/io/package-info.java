/** Files: written atomically; safetensors, read with every length checked. */
package io.github.sharnn.io;
