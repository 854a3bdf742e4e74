package io.github.sharnn.spark;

import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.function.IntPredicate;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The port of a worker. A connection begins with the secret of the job and the number of the worker
 * that has opened it. All connections are read side by side, so one that sends nothing delays no
 * worker. It is dropped after a while.
 */
final class Arrivals implements Closeable {

  /** The bytes of the secret. */
  static final int TOKEN_BYTES = 32;

  /** The maximum number of connections that have not shown the secret yet. */
  static final int MOST = 64;

  private static final Logger LOGGER = LoggerFactory.getLogger(Arrivals.class);

  private final ServerSocketChannel server;
  private final Selector selector;
  private final long patienceNanos;

  /**
   * A worker that has connected.
   *
   * @param index its number
   * @param channel the connection, which blocks
   */
  record Worker(int index, SocketChannel channel) {}

  /** The bytes that a connection has sent, and the time at which it is dropped. */
  private record Greeting(ByteBuffer bytes, long end) {}

  /**
   * Listens on a port that the system chooses.
   *
   * @param host the host name or address to listen on
   * @param patience the longest time for a greeting
   */
  Arrivals(String host, Duration patience) throws IOException {
    patienceNanos = patience.toNanos();
    selector = Selector.open();
    server = selector.provider().openServerSocketChannel();
    try {
      server.bind(new InetSocketAddress(host, 0)).configureBlocking(false);
      server.register(selector, SelectionKey.OP_ACCEPT);
    } catch (IOException | RuntimeException e) {
      close();
      throw e;
    }
  }

  int port() {
    return server.socket().getLocalPort();
  }

  /** Returns the first bytes of a connection. */
  static ByteBuffer greeting(byte[] token, int index) {
    return ByteBuffer.allocate(TOKEN_BYTES + Integer.BYTES).put(token).putInt(index).flip();
  }

  /**
   * Waits a moment for a worker. Drops a connection that does not know the secret.
   *
   * @param token the secret of the job
   * @param expected accepts the number of a worker
   * @param millis how long to wait
   * @return the worker, or null if none has come
   */
  @Nullable Worker next(byte[] token, IntPredicate expected, int millis) throws IOException {
    selector.select(millis);
    List<SelectionKey> ready = List.copyOf(selector.selectedKeys());
    selector.selectedKeys().clear();
    Worker arrived = null;
    for (SelectionKey key : ready) {
      if (key.isValid() && key.isAcceptable()) {
        accept();
      } else if (key.isValid() && arrived == null) { // the other ones stay readable
        arrived = read(key, token, expected);
      }
    }
    long now = System.nanoTime();
    strangers()
        .filter(key -> greeting(key).end - now < 0)
        .toList()
        .forEach(key -> drop(key, "it has sent no greeting in time"));
    return arrived;
  }

  private void accept() throws IOException {
    SocketChannel channel = server.accept();
    if (channel == null) {
      return;
    }
    List<SelectionKey> waiting = strangers().toList();
    if (waiting.size() >= MOST) {
      waiting.stream()
          .min(Comparator.comparingLong(key -> greeting(key).end - System.nanoTime()))
          .ifPresent(key -> drop(key, "too many have sent no greeting"));
    }
    ByteBuffer bytes = ByteBuffer.allocate(TOKEN_BYTES + Integer.BYTES);
    channel.configureBlocking(false);
    channel.register(
        selector, SelectionKey.OP_READ, new Greeting(bytes, System.nanoTime() + patienceNanos));
  }

  private @Nullable Worker read(SelectionKey key, byte[] token, IntPredicate expected)
      throws IOException {
    SocketChannel channel = (SocketChannel) key.channel();
    ByteBuffer bytes = greeting(key).bytes;
    try {
      if (channel.read(bytes) < 0) {
        throw new EOFException("end of stream");
      }
    } catch (IOException e) {
      drop(key, e.toString());
      return null;
    }
    if (bytes.hasRemaining()) {
      return null;
    }
    byte[] given = new byte[TOKEN_BYTES];
    bytes.flip().get(given);
    int index = bytes.getInt();
    if (!MessageDigest.isEqual(given, token) || !expected.test(index)) {
      drop(key, "it does not know the secret");
      return null;
    }
    key.cancel();
    selector.selectNow(); // a channel of a selector can't block
    channel.configureBlocking(true);
    return new Worker(index, channel);
  }

  private Stream<SelectionKey> strangers() {
    return selector.keys().stream().filter(key -> key.isValid() && key.attachment() != null);
  }

  private static Greeting greeting(SelectionKey key) {
    return (Greeting) key.attachment();
  }

  private static void drop(SelectionKey key, String reason) {
    LOGGER.warn("a connection that is no worker's was dropped: {}", reason);
    try {
      key.channel().close();
    } catch (IOException e) {
      LOGGER.warn("a connection can't be closed: {}", e.toString());
    }
  }

  @Override
  public void close() throws IOException {
    if (selector.isOpen()) {
      for (SelectionKey key : selector.keys()) {
        key.channel().close();
      }
    }
    selector.close();
    server.close();
  }
}
