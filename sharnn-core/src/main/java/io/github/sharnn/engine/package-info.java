/** Work-arounds for DJL and PyTorch: operators, devices, inference mode, dropout and constants. */
package io.github.sharnn.engine;
