package io.github.sharnn.engine;

import static java.util.Objects.requireNonNull;

import ai.djl.Device;
import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.IValueUtils;
import ai.djl.training.ParameterStore;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/**
 * A TorchScript module made of source text, which reaches the PyTorch operators that DJL lacks. No
 * compiler and no Python is involved. Gradients flow through its methods. Safe for use by several
 * threads.
 */
public final class TorchScript {

  private static final String NAME = "sharnn";

  private final Model module;

  /**
   * Loads a class from source text in the form that a saved TorchScript module has.
   *
   * @param className the name of the class
   * @param source the source text of the class
   * @throws IllegalStateException if PyTorch does not accept the source
   */
  public TorchScript(String className, String source) {
    module = Devices.engine().newModel(className, null);
    try {
      module.load(
          new ByteArrayInputStream(archive(className, source)), Map.of("trainParam", "true"));
    } catch (IOException | MalformedModelException e) {
      throw new IllegalStateException("the TorchScript of " + className + " can't be loaded", e);
    }
  }

  /**
   * Calls a method that takes only lists. The first array's manager owns the result.
   *
   * @param method the method's name
   * @param lists the method's arguments in order; the call renames their arrays
   * @return the method's result
   */
  public NDArray call(String method, NDList... lists) {
    return call(method, new float[0], lists);
  }

  /**
   * Calls a method. The first array's manager owns the result.
   *
   * @param method the method's name
   * @param options the numbers of the method's last argument; empty if the method takes none
   * @param lists the method's list arguments in order; the call renames their arrays
   * @return the method's result
   */
  public NDArray call(String method, float[] options, NDList... lists) {
    NDList inputs = new NDList();
    for (int i = 0; i < lists.length; i++) {
      for (NDArray array : lists[i]) {
        array.setName("list" + i + "[]"); // DJL joins inputs of one such name into a list
        inputs.add(array);
      }
    }
    try (NDManager manager = module.getNDManager().newSubManager(Device.cpu())) {
      if (options.length > 0) {
        inputs.add(manager.create(options)); // on the host: reading them from a GPU would stall it
      }
      NDArray selector = manager.zeros(new Shape());
      selector.setName("module_method:" + method);
      inputs.add(selector);
      return module.getBlock().forward(new ParameterStore(manager, false), inputs, true).head();
    }
  }

  /**
   * A method that is called many times with the same lists, which are handed to PyTorch only once.
   * Calls record no gradients. Each instance is for one thread.
   */
  public static final class Prepared {

    private final PtSymbolBlock block;
    private final String method;
    private final IValue[] arguments; // the lists, and a place for the numbers

    private Prepared(
        NDManager owner,
        PtSymbolBlock block,
        String method,
        List<PackedMatrix> matrices,
        NDList... lists) {
      this.block = block;
      this.method = method;
      int packed = matrices.isEmpty() ? 0 : 1;
      arguments = new IValue[lists.length + packed + 1];
      for (int i = 0; i < lists.length; i++) {
        arguments[i] =
            IValue.listFrom(lists[i].stream().map(PtNDArray.class::cast).toArray(PtNDArray[]::new));
        owner.attachInternal(arguments[i].getUid(), arguments[i]); // it keeps the arrays alive
      }
      if (packed > 0) {
        IValue list = PackedMatrix.list(matrices);
        arguments[lists.length] = list;
        owner.attachInternal(list.getUid(), list);
      }
    }

    /**
     * Calls the method.
     *
     * @param manager the manager that owns the result
     * @param numbers the method's last argument
     * @return the method's result
     */
    public NDArray call(NDManager manager, long... numbers) {
      try (IValue options = IValue.listFrom(numbers)) {
        arguments[arguments.length - 1] = options;
        try (IValue result = IValueUtils.runMethod(block, method, arguments)) {
          return result.toTensor((PtNDManager) manager);
        }
      }
    }
  }

  /**
   * Prepares a method of lists and numbers for many calls with the same lists.
   *
   * @param owner the manager that closes PyTorch's handles on the lists; no call may follow
   * @param method the method's name
   * @param lists the method's list arguments in order
   * @return the prepared method
   */
  public Prepared prepare(NDManager owner, String method, NDList... lists) {
    return prepare(owner, method, List.of(), lists);
  }

  /**
   * Prepares a method of lists, packed matrices and numbers for many calls with the same lists.
   *
   * @param owner the manager that closes PyTorch's handles on the lists; no call may follow
   * @param method the method's name
   * @param matrices the method's argument after the lists, which the method lacks if this is empty
   * @param lists the method's list arguments in order
   * @return the prepared method
   */
  public Prepared prepare(
      NDManager owner, String method, List<PackedMatrix> matrices, NDList... lists) {
    return new Prepared(owner, (PtSymbolBlock) module.getBlock(), method, matrices, lists);
  }

  /** Calls a method with arguments of any kind; the caller closes the result. */
  IValue run(String method, IValue... arguments) {
    return IValueUtils.runMethod((PtSymbolBlock) module.getBlock(), method, arguments);
  }

  /**
   * {@return the text of a resource beside a class}
   *
   * @param owner the class
   * @param resource the resource's name, such as {@code operators.py}
   */
  public static String source(Class<?> owner, String resource) {
    // read here: a module reads its own resources, and Guava is in another one
    try (InputStream in = owner.getResourceAsStream(resource)) {
      return new String(requireNonNull(in, resource).readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Builds an archive: a zip of the source and a pickled object without fields. */
  private static byte[] archive(String className, String source) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
      String object = "\u0080\u0002c__torch__\n%s\n)\u0081}(X\b\0\0\0training\u0088ub.";
      put(zip, "data.pkl", latin1(String.format(Locale.ROOT, object, className)));
      put(zip, "code/__torch__.py", source.getBytes(StandardCharsets.UTF_8));
      put(zip, "constants.pkl", latin1("\u0080\u0002)."));
      put(zip, "version", latin1("10\n"));
    }
    return bytes.toByteArray();
  }

  private static byte[] latin1(String text) {
    return text.getBytes(StandardCharsets.ISO_8859_1);
  }

  private static void put(ZipOutputStream zip, String name, byte[] content) throws IOException {
    zip.putNextEntry(new ZipEntry(NAME + "/" + name));
    zip.write(content);
    zip.closeEntry();
  }
}
