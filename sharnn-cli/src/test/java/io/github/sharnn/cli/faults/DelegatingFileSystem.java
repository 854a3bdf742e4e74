package io.github.sharnn.cli.faults;

import java.io.IOException;
import java.nio.file.FileStore;
import java.nio.file.FileSystem;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.nio.file.WatchService;
import java.nio.file.attribute.UserPrincipalLookupService;
import java.nio.file.spi.FileSystemProvider;
import java.util.Set;
import java.util.function.UnaryOperator;

/** A file system with another provider. */
final class DelegatingFileSystem extends FileSystem {

  private final FileSystem target;
  private final FileSystemProvider provider;
  private final UnaryOperator<Path> wrap;

  DelegatingFileSystem(FileSystem target, FileSystemProvider provider, UnaryOperator<Path> wrap) {
    this.target = target;
    this.provider = provider;
    this.wrap = wrap;
  }

  @Override
  public FileSystemProvider provider() {
    return provider;
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
    return wrap.apply(target.getPath(first, more));
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
