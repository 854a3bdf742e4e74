/** Work-arounds for DJL and PyTorch: operators, devices, inference mode, dropout and constants. */
@NullMarked
package io.github.sharnn.engine;

import org.jspecify.annotations.NullMarked;
