/** SHARNN models as ONNX files. */
package io.github.sharnn.onnx;
