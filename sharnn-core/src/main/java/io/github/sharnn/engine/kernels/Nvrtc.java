package io.github.sharnn.engine.kernels;

import ai.djl.pytorch.jni.LibUtils;
import ai.djl.util.Utils;
import com.google.common.hash.Hashing;
import com.sun.jna.Memory;
import com.sun.jna.NativeLibrary;
import com.sun.jna.Pointer;
import com.sun.jna.StringArray;
import com.sun.jna.ptr.IntByReference;
import com.sun.jna.ptr.LongByReference;
import com.sun.jna.ptr.PointerByReference;
import io.github.sharnn.io.AtomicFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * NVIDIA's runtime compiler, a library that every CUDA build of PyTorch brings along. Compiled code
 * is kept in DJL's cache folder, by source, options and versions.
 */
final class Nvrtc {

  private static final Logger LOGGER = LoggerFactory.getLogger(Nvrtc.class);
  private static final String PATTERN = "{lib,}nvrtc{-,.so,64_}*";

  private final NativeLibrary library;
  private final String version;

  /** Finds the compiler beside PyTorch, where pip puts it, or where the system looks. */
  Nvrtc() {
    library = open();
    IntByReference major = new IntByReference();
    IntByReference minor = new IntByReference();
    check("nvrtcVersion", major, minor);
    version = major.getValue() + "." + minor.getValue();
  }

  private static NativeLibrary open() {
    List<String> candidates = new ArrayList<>();
    Path torch = Path.of(LibUtils.getLibtorchPath()).toAbsolutePath();
    candidates.addAll(inFolder(torch));
    Path packages = torch.resolve("../../nvidia"); // site-packages/torch/lib
    for (String folder : List.of("cu13/lib", "cuda_nvrtc/lib", "cuda_nvrtc/bin")) {
      candidates.addAll(inFolder(packages.resolve(folder)));
    }
    candidates.addAll(List.of("libnvrtc.so.13", "libnvrtc.so.12", "nvrtc64_120_0"));
    UnsatisfiedLinkError last = null;
    for (String candidate : candidates) {
      try {
        return NativeLibrary.getInstance(candidate);
      } catch (UnsatisfiedLinkError e) {
        last = e;
      }
    }
    throw new CudaException("the runtime compiler NVRTC was not found beside PyTorch", last);
  }

  private static List<String> inFolder(Path folder) {
    List<String> files = new ArrayList<>();
    if (Files.isDirectory(folder)) {
      try (DirectoryStream<Path> found = Files.newDirectoryStream(folder, PATTERN)) {
        for (Path file : found) {
          String name = file.getFileName().toString();
          if (!name.contains("builtins") && !name.contains("alt")) {
            files.add(file.toString());
          }
        }
      } catch (IOException e) {
        LOGGER.debug("{} can't be listed", folder, e);
      }
    }
    return files;
  }

  /** Compiles a source for {@code cuModuleLoadData}, or takes the result of an earlier run. */
  byte[] compile(String source, int driver, List<String> options) {
    String key =
        Hashing.sha256()
            .hashString(
                String.join("\n", version, Integer.toString(driver), options.toString(), source),
                StandardCharsets.UTF_8)
            .toString();
    Path file = Utils.getCacheDir().resolve("sharnn").resolve("kernels").resolve(key + ".cubin");
    try {
      if (Files.isRegularFile(file)) {
        return Files.readAllBytes(file);
      }
    } catch (IOException e) {
      LOGGER.debug("{} can't be read", file, e);
    }
    byte[] code = compile(source, options);
    try {
      Files.createDirectories(file.getParent());
      AtomicFile.write(file, code);
    } catch (IOException e) { // only the next start takes longer
      LOGGER.warn("The compiled kernels can't be kept in {}: {}", file, e.toString());
    }
    return code;
  }

  private byte[] compile(String source, List<String> options) {
    PointerByReference program = new PointerByReference();
    check("nvrtcCreateProgram", program, source, "sharnn.cu", 0, null, null);
    try {
      StringArray strings = new StringArray(options.toArray(String[]::new));
      int error = call("nvrtcCompileProgram", program.getValue(), options.size(), strings);
      if (error != 0) {
        String log = new String(bytes("nvrtcGetProgramLog", program), StandardCharsets.UTF_8);
        throw new CudaException("nvrtcCompileProgram", name(error) + "\n" + log.trim());
      }
      return bytes("nvrtcGetCUBIN", program);
    } finally {
      check("nvrtcDestroyProgram", program);
    }
  }

  private byte[] bytes(String function, PointerByReference program) {
    LongByReference size = new LongByReference();
    check(function + "Size", program.getValue(), size);
    try (Memory memory = new Memory(size.getValue())) {
      check(function, program.getValue(), memory);
      return memory.getByteArray(0, Math.toIntExact(size.getValue()));
    }
  }

  private int call(String function, Object... arguments) {
    return library.getFunction(function).invokeInt(arguments);
  }

  private void check(String function, Object... arguments) {
    int error = call(function, arguments);
    if (error != 0) {
      throw new CudaException(function, name(error));
    }
  }

  private String name(int error) {
    Pointer text = library.getFunction("nvrtcGetErrorString").invokePointer(new Object[] {error});
    return text.getString(0);
  }
}
