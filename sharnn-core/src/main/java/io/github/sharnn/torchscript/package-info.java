/** PyTorch's operators beyond those that DJL offers, for this library's own use. */
package io.github.sharnn.torchscript;
