package io.github.sharnn.cli.faults;

import com.google.common.jimfs.Configuration;
import com.google.common.jimfs.Jimfs;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.net.URI;
import java.nio.channels.FileChannel;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.AccessMode;
import java.nio.file.CopyOption;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileStore;
import java.nio.file.FileSystem;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.FileAttributeView;
import java.nio.file.spi.FileSystemProvider;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A file system in memory that records each change, and fails at a chosen one. A failing change
 * leaves the file system as it is.
 */
final class RecordedFileSystem extends FileSystemProvider {

  /** A recorded change. */
  record Recorded(String what, Disk.Change change) {}

  private final FileSystem memory;
  private final FileSystemProvider real;
  private final FileSystem system;
  private final List<Recorded> trace = new ArrayList<>();
  private int channels;
  private int failAt = Integer.MAX_VALUE;
  private boolean failsOnce;
  private int changes;
  private boolean failed;

  /** Creates a file system with these files, and folders where the content is null. */
  RecordedFileSystem(Map<String, byte @Nullable []> state) {
    memory = Jimfs.newFileSystem(Configuration.unix());
    real = memory.provider();
    system = new DelegatingFileSystem(memory, this, this::wrap);
    state.forEach(
        (path, content) -> {
          try {
            if (content == null) {
              Files.createDirectories(memory.getPath(path));
            } else {
              Files.write(memory.getPath(path), content);
            }
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        });
  }

  /** Fails the change after so many others, and every later one unless {@code once}. */
  RecordedFileSystem failAt(int change, boolean once) {
    failAt = change;
    failsOnce = once;
    return this;
  }

  Path path(String path) {
    return wrap(memory.getPath(path));
  }

  synchronized List<Recorded> trace() {
    return List.copyOf(trace);
  }

  synchronized boolean hasFailed() {
    return failed;
  }

  synchronized void change(String what, Disk.Change change) throws IOException {
    int index = changes++;
    if (index == failAt || (index > failAt && !failsOnce)) {
      failed = true;
      throw new IOException("injected at " + what);
    }
    trace.add(new Recorded(what, change));
  }

  private @Nullable Path wrap(@Nullable Path path) {
    return path == null
        ? null
        : (Path)
            Proxy.newProxyInstance(
                getClass().getClassLoader(), new Class<?>[] {Path.class}, new PathHandler(path));
  }

  /** Passes the calls of a path on, with plain paths in and recorded paths out. */
  private final class PathHandler implements InvocationHandler {

    private final Path target;

    private PathHandler(Path target) {
      this.target = target;
    }

    @Override
    public Object invoke(Object self, Method method, Object[] arguments) throws Throwable {
      if (method.getName().equals("getFileSystem")) {
        return system;
      }
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

  private static Object unwrap(Object value) {
    if (value instanceof Path
        && Proxy.isProxyClass(value.getClass())
        && Proxy.getInvocationHandler(value) instanceof PathHandler handler) {
      return handler.target;
    }
    return value;
  }

  private static Path real(Path path) {
    return (Path) unwrap(path);
  }

  private static String name(Path path) {
    return real(path).toAbsolutePath().normalize().toString();
  }

  @Override
  public FileChannel newFileChannel(
      Path path, Set<? extends OpenOption> options, FileAttribute<?>... attributes)
      throws IOException {
    Path file = real(path);
    if (Files.isDirectory(file)) {
      return new RecordedChannel(this, 0, name(path), null);
    }
    int number;
    synchronized (this) {
      number = ++channels;
    }
    if (options.contains(StandardOpenOption.WRITE)) {
      if (Files.exists(file, LinkOption.NOFOLLOW_LINKS)) {
        FileChannel opened = real.newFileChannel(file, options, attributes);
        trace(disk -> disk.open(name(path), number));
        return new RecordedChannel(this, number, name(path), opened);
      }
      if (options.contains(StandardOpenOption.CREATE_NEW)
          || options.contains(StandardOpenOption.CREATE)) {
        change("create " + name(path), disk -> disk.open(name(path), number));
      }
    }
    return new RecordedChannel(
        this, number, name(path), real.newFileChannel(file, options, attributes));
  }

  private synchronized void trace(Disk.Change change) {
    trace.add(new Recorded("open", change));
  }

  @Override
  public SeekableByteChannel newByteChannel(
      Path path, Set<? extends OpenOption> options, FileAttribute<?>... attributes)
      throws IOException {
    return newFileChannel(path, options, attributes);
  }

  @Override
  public void createDirectory(Path path, FileAttribute<?>... attributes) throws IOException {
    if (Files.exists(real(path), LinkOption.NOFOLLOW_LINKS)) {
      throw new FileAlreadyExistsException(path.toString());
    }
    change("create folder " + name(path), disk -> disk.createFolder(name(path)));
    real.createDirectory(real(path), attributes);
  }

  @Override
  public void delete(Path path) throws IOException {
    change("delete " + name(path), disk -> disk.delete(name(path)));
    real.delete(real(path));
  }

  @Override
  public boolean deleteIfExists(Path path) throws IOException {
    if (!Files.exists(real(path), LinkOption.NOFOLLOW_LINKS)) {
      return false;
    }
    delete(path);
    return true;
  }

  @Override
  public void move(Path from, Path to, CopyOption... options) throws IOException {
    change("move " + name(from) + " to " + name(to), disk -> disk.move(name(from), name(to)));
    // a file system in memory replaces no target in an atomic move unless told to
    real.move(
        real(from), real(to), StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
  }

  @Override
  public void copy(Path from, Path to, CopyOption... options) {
    throw new UnsupportedOperationException();
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
    throw new UnsupportedOperationException();
  }

  @Override
  public String getScheme() {
    return "recorded";
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
}
