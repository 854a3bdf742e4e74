/**
 * SHARNN models as ONNX files: {@link io.github.sharnn.onnx.OnnxExport} writes one, for runtimes
 * without PyTorch.
 */
@NullMarked
package io.github.sharnn.onnx;

import org.jspecify.annotations.NullMarked;
