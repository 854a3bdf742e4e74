package io.github.sharnn.spark;

import java.net.URI;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;

/** The local disk under the scheme {@code copied:}, from which models must be copied. */
public final class CopiedFileSystem extends RawLocalFileSystem {

  private static final URI ROOT = URI.create("copied:///");

  /** Creates the file system, as Hadoop does. */
  public CopiedFileSystem() {}

  @Override
  public void initialize(URI name, Configuration configuration) throws java.io.IOException {
    super.initialize(URI.create("file:///"), configuration);
  }

  @Override
  public URI getUri() {
    return ROOT;
  }

  @Override
  protected void checkPath(Path path) {
    // takes paths of both schemes
  }

  @Override
  public FileStatus getFileStatus(Path path) throws java.io.IOException {
    return super.getFileStatus(new Path(path.toUri().getPath()));
  }
}
