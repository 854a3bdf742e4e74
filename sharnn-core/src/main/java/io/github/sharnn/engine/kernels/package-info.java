/**
 * CUDA kernels of this library's own, compiled at run time by NVRTC and launched through JNA on
 * DJL's arrays. This is the one place that leaves DJL's API; {@code docs/kernels.md} explains it.
 */
@NullMarked
package io.github.sharnn.engine.kernels;

import org.jspecify.annotations.NullMarked;
