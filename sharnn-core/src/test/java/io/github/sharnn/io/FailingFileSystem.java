package io.github.sharnn.io;

import java.io.IOException;
import java.io.InputStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.net.URI;
import java.nio.channels.FileChannel;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.AccessMode;
import java.nio.file.CopyOption;
import java.nio.file.DirectoryStream;
import java.nio.file.FileStore;
import java.nio.file.FileSystem;
import java.nio.file.LinkOption;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.nio.file.StandardOpenOption;
import java.nio.file.WatchService;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.FileAttributeView;
import java.nio.file.attribute.UserPrincipalLookupService;
import java.nio.file.spi.FileSystemProvider;
import java.util.Iterator;
import java.util.Map;
import java.util.Set;

/**
 * The default file system, in which a process dies at a chosen operation: this operation and every
 * later one that would change the disk fail.
 */
public final class FailingFileSystem extends FileSystemProvider {

  private final FileSystemProvider real;
  private final FileSystem system;
  private int left;

  private FailingFileSystem(Path path, int operations) {
    real = path.getFileSystem().provider();
    system = proxy(FileSystem.class, path.getFileSystem());
    left = operations;
  }

  /** Returns a path whose file system dies at the operation after so many. */
  public static Path of(Path path, int operations) {
    return new FailingFileSystem(path, operations).wrap(path);
  }

  /** Tells whether a path's process is dead. */
  public static boolean isDead(Path path) {
    return ((FailingFileSystem) path.getFileSystem().provider()).left < 0;
  }

  private Path wrap(Path path) {
    return path == null ? null : proxy(Path.class, path);
  }

  /** FileSystem is an abstract class, so a path gives one that hands its provider out alone. */
  private <T> T proxy(Class<T> type, T target) {
    if (type == FileSystem.class) {
      return type.cast(new Delegating((FileSystem) target));
    }
    return type.cast(
        Proxy.newProxyInstance(
            getClass().getClassLoader(),
            new Class<?>[] {type},
            (self, method, arguments) -> {
              switch (method.getName()) {
                case "getFileSystem" -> {
                  return system;
                }
                case "toFile" -> throw new UnsupportedOperationException();
                case "equals" -> {
                  return target.equals(unwrap(arguments[0]));
                }
                default -> {
                  Object[] plain = arguments == null ? new Object[0] : arguments.clone();
                  for (int i = 0; i < plain.length; i++) {
                    plain[i] = unwrap(plain[i]);
                  }
                  try {
                    Object result = method.invoke(target, plain);
                    return result instanceof Path path ? wrap(path) : result;
                  } catch (InvocationTargetException e) {
                    throw e.getCause();
                  }
                }
              }
            }));
  }

  private static Object unwrap(Object value) {
    if (value instanceof Path path && Proxy.isProxyClass(path.getClass())) {
      return Path.of(path.toString());
    }
    return value;
  }

  private static Path real(Path path) {
    return (Path) unwrap(path);
  }

  private void change(String what) throws IOException {
    if (left-- <= 0) {
      left = -1;
      throw new IOException("dead before " + what);
    }
  }

  @Override
  public FileChannel newFileChannel(
      Path path, Set<? extends OpenOption> options, FileAttribute<?>... attributes)
      throws IOException {
    if (options.contains(StandardOpenOption.WRITE)) {
      change("open " + path);
    }
    return real.newFileChannel(real(path), options, attributes);
  }

  @Override
  public SeekableByteChannel newByteChannel(
      Path path, Set<? extends OpenOption> options, FileAttribute<?>... attributes)
      throws IOException {
    if (options.contains(StandardOpenOption.WRITE)) {
      change("open " + path);
    }
    return real.newByteChannel(real(path), options, attributes);
  }

  @Override
  public InputStream newInputStream(Path path, OpenOption... options) throws IOException {
    return real.newInputStream(real(path), options);
  }

  @Override
  public void createDirectory(Path path, FileAttribute<?>... attributes) throws IOException {
    change("create " + path);
    real.createDirectory(real(path), attributes);
  }

  @Override
  public void delete(Path path) throws IOException {
    change("delete " + path);
    real.delete(real(path));
  }

  @Override
  public boolean deleteIfExists(Path path) throws IOException {
    change("delete " + path);
    return real.deleteIfExists(real(path));
  }

  @Override
  public void move(Path from, Path to, CopyOption... options) throws IOException {
    change("move " + from);
    real.move(real(from), real(to), options);
  }

  @Override
  public void copy(Path from, Path to, CopyOption... options) throws IOException {
    change("copy " + from);
    real.copy(real(from), real(to), options);
  }

  @Override
  public DirectoryStream<Path> newDirectoryStream(
      Path path, DirectoryStream.Filter<? super Path> filter) throws IOException {
    DirectoryStream<Path> stream = real.newDirectoryStream(real(path), p -> filter.accept(wrap(p)));
    return new DirectoryStream<>() {
      @Override
      public Iterator<Path> iterator() {
        Iterator<Path> paths = stream.iterator();
        return new Iterator<>() {
          @Override
          public boolean hasNext() {
            return paths.hasNext();
          }

          @Override
          public Path next() {
            return wrap(paths.next());
          }
        };
      }

      @Override
      public void close() throws IOException {
        stream.close();
      }
    };
  }

  @Override
  public <A extends BasicFileAttributes> A readAttributes(
      Path path, Class<A> type, LinkOption... options) throws IOException {
    return real.readAttributes(real(path), type, options);
  }

  @Override
  public Map<String, Object> readAttributes(Path path, String names, LinkOption... options)
      throws IOException {
    return real.readAttributes(real(path), names, options);
  }

  @Override
  public void checkAccess(Path path, AccessMode... modes) throws IOException {
    real.checkAccess(real(path), modes);
  }

  @Override
  public boolean isSameFile(Path path, Path other) throws IOException {
    return real.isSameFile(real(path), real(other));
  }

  @Override
  public boolean isHidden(Path path) throws IOException {
    return real.isHidden(real(path));
  }

  @Override
  public FileStore getFileStore(Path path) throws IOException {
    return real.getFileStore(real(path));
  }

  @Override
  public <V extends FileAttributeView> V getFileAttributeView(
      Path path, Class<V> type, LinkOption... options) {
    return real.getFileAttributeView(real(path), type, options);
  }

  @Override
  public void setAttribute(Path path, String name, Object value, LinkOption... options)
      throws IOException {
    change("change " + path);
    real.setAttribute(real(path), name, value, options);
  }

  @Override
  public String getScheme() {
    return "failing";
  }

  @Override
  public FileSystem newFileSystem(URI uri, Map<String, ?> environment) {
    throw new UnsupportedOperationException();
  }

  @Override
  public FileSystem getFileSystem(URI uri) {
    throw new UnsupportedOperationException();
  }

  @Override
  public Path getPath(URI uri) {
    throw new UnsupportedOperationException();
  }

  /** The default file system with another provider. */
  private final class Delegating extends FileSystem {

    private final FileSystem target;

    private Delegating(FileSystem target) {
      this.target = target;
    }

    @Override
    public FileSystemProvider provider() {
      return FailingFileSystem.this;
    }

    @Override
    public void close() {
      throw new UnsupportedOperationException();
    }

    @Override
    public boolean isOpen() {
      return true;
    }

    @Override
    public boolean isReadOnly() {
      return false;
    }

    @Override
    public String getSeparator() {
      return target.getSeparator();
    }

    @Override
    public Iterable<Path> getRootDirectories() {
      return target.getRootDirectories();
    }

    @Override
    public Iterable<FileStore> getFileStores() {
      return target.getFileStores();
    }

    @Override
    public Set<String> supportedFileAttributeViews() {
      return target.supportedFileAttributeViews();
    }

    @Override
    public Path getPath(String first, String... more) {
      return wrap(target.getPath(first, more));
    }

    @Override
    public PathMatcher getPathMatcher(String pattern) {
      return target.getPathMatcher(pattern);
    }

    @Override
    public UserPrincipalLookupService getUserPrincipalLookupService() {
      return target.getUserPrincipalLookupService();
    }

    @Override
    public WatchService newWatchService() throws IOException {
      return target.newWatchService();
    }
  }
}
