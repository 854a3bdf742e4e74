package io.github.sharnn.spark;

import static com.google.common.base.Preconditions.checkState;
import static com.google.common.base.Strings.lenientFormat;

import com.google.common.io.Closer;
import com.google.common.primitives.Ints;
import com.google.common.util.concurrent.ThreadFactoryBuilder;
import io.github.sharnn.train.optim.OuterStep;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The exchange of messages between workers over TCP, with a connection for each pair of workers. A
 * connection begins with a secret of the job, so no stranger takes part.
 */
final class TcpExchange implements OuterStep.Exchange, AutoCloseable {

  private static final Logger LOGGER = LoggerFactory.getLogger(TcpExchange.class);
  private static final int HEADER_BYTES = 2 * Long.BYTES; // round, length
  private static final int BUFFER_BYTES = 4 << 20;
  private static final int POLL_MILLIS = 50;
  private static final Duration GREETING = Duration.ofSeconds(10);

  private final int index;
  private final Duration timeout;
  private final BooleanSupplier cancelled;
  private final Arrivals arrivals;
  private final ExecutorService threads =
      Executors.newCachedThreadPool(
          new ThreadFactoryBuilder().setNameFormat("sharnn-exchange-%d").setDaemon(true).build());
  private List<Peer> peers = List.of();
  private @Nullable SocketChannel[] channels = {}; // null for this worker
  private ByteBuffer[] received = {};
  private long round;

  /**
   * A worker.
   *
   * @param name its name in messages
   * @param host the host that it listens on
   * @param port the port
   */
  record Peer(String name, String host, int port) {}

  /** The end of a connection, as by the death of the other worker. Spark may try again. */
  static final class LostException extends IllegalStateException {
    private static final long serialVersionUID = 1;

    LostException(String message, Throwable cause) {
      super(message, cause);
    }
  }

  /**
   * Listens for the other workers.
   *
   * @param index the number of this worker
   * @param host the host name or address to listen on
   * @param timeout the longest time to wait for another worker
   * @param cancelled returns true if this worker is to give up
   */
  TcpExchange(int index, String host, Duration timeout, BooleanSupplier cancelled)
      throws IOException {
    this.index = index;
    this.timeout = timeout;
    this.cancelled = cancelled;
    arrivals = new Arrivals(host, GREETING);
  }

  /** Returns the port that this worker listens on. */
  int port() {
    return arrivals.port();
  }

  /**
   * Connects to all other workers.
   *
   * @param all all workers in their order
   * @param token the secret of the job
   */
  void connect(List<Peer> all, byte[] token) throws IOException {
    peers = List.copyOf(all);
    channels = new SocketChannel[all.size()];
    received = new ByteBuffer[all.size()];
    for (int other = 0; other < index; other++) {
      channels[other] = dial(all.get(other), token);
    }
    long end = System.nanoTime() + timeout.toNanos();
    while (missing().findAny().isPresent()) {
      Arrivals.Worker worker =
          arrivals.next(token, index -> missing().anyMatch(each -> each == index), POLL_MILLIS);
      if (worker != null) {
        channels[worker.index()] = worker.channel();
        configure(worker.channel());
      }
      checkTime(end, missing().boxed().toList(), "connected");
    }
    arrivals.close();
  }

  private IntStream missing() {
    return IntStream.range(index + 1, channels.length).filter(other -> channels[other] == null);
  }

  private SocketChannel dial(Peer peer, byte[] token) throws IOException {
    SocketChannel channel = SocketChannel.open();
    try {
      configure(channel);
      channel
          .socket()
          .connect(
              new InetSocketAddress(peer.host(), peer.port()),
              Ints.saturatedCast(timeout.toMillis()));
      write(channel, Arrivals.greeting(token, index));
      return channel;
    } catch (IOException e) {
      channel.close();
      throw new LostException(
          lenientFormat(
              "%s can't connect to %s at %s:%s (%s): executors must reach each other on all ports",
              peers.get(index).name(), peer.name(), peer.host(), peer.port(), e),
          e);
    }
  }

  private static void configure(SocketChannel channel) throws IOException {
    channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
    channel.setOption(StandardSocketOptions.SO_SNDBUF, BUFFER_BYTES);
    channel.setOption(StandardSocketOptions.SO_RCVBUF, BUFFER_BYTES);
  }

  private void checkTime(long end, List<Integer> late, String what) {
    if (cancelled.getAsBoolean()) {
      throw new CancellationException("the task is cancelled");
    }
    if (System.nanoTime() - end > 0 && !late.isEmpty()) {
      throw new IllegalStateException(
          lenientFormat(
              "%s waits for %s, which has not %s for %s s: it hangs, or is slower than the others by more"
                  + " than that; look at its log, or increase timeoutSeconds",
              peers.get(index).name(),
              late.stream().map(other -> peers.get(other).name()).collect(Collectors.joining(", ")),
              what,
              timeout.toSeconds()));
    }
  }

  @Override
  public List<ByteBuffer> exchange(ByteBuffer own) {
    round++;
    List<@Nullable Future<?>> receiving = new ArrayList<>();
    List<@Nullable Future<?>> sending = new ArrayList<>();
    for (int other = 0; other < channels.length; other++) {
      SocketChannel channel = channels[other];
      int from = other;
      ByteBuffer message = own.duplicate();
      receiving.add(channel == null ? null : threads.submit(() -> receive(from, own.remaining())));
      sending.add(channel == null ? null : threads.submit(() -> send(from, message)));
    }
    long end = System.nanoTime() + timeout.toNanos();
    await(receiving, end, lenientFormat("sent its part of outer step %s", round - 1));
    await(sending, end, lenientFormat("taken the parts of outer step %s", round - 1));
    List<ByteBuffer> all = new ArrayList<>();
    for (int other = 0; other < channels.length; other++) {
      all.add(other == index ? own.duplicate() : received[other].duplicate());
    }
    return all.isEmpty() ? List.of(own) : all;
  }

  private @Nullable Void send(int to, ByteBuffer message) throws IOException {
    SocketChannel channel = Objects.requireNonNull(channels[to]);
    ByteBuffer header = ByteBuffer.allocate(HEADER_BYTES);
    write(channel, header.putLong(round).putLong(message.remaining()).flip());
    write(channel, message);
    return null;
  }

  private @Nullable Void receive(int from, int length) throws IOException {
    SocketChannel channel = Objects.requireNonNull(channels[from]);
    ByteBuffer header = ByteBuffer.allocate(HEADER_BYTES);
    read(channel, header);
    long theirRound = header.getLong();
    long theirLength = header.getLong();
    checkState(
        theirRound == round && theirLength == length,
        "%s must send %s bytes in round %s, but sends %s in round %s: use one version of the software"
            + " on all hosts",
        peers.get(from).name(),
        length,
        round,
        theirLength,
        theirRound);
    if (received[from] == null || received[from].capacity() < length) {
      received[from] = ByteBuffer.allocateDirect(length);
    }
    read(channel, received[from].clear().limit(length));
    return null;
  }

  private static void write(SocketChannel channel, ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }

  /** Fills a buffer and flips it. */
  private static void read(SocketChannel channel, ByteBuffer target) throws IOException {
    while (target.hasRemaining()) {
      if (channel.read(target) < 0) {
        throw new EOFException("end of stream");
      }
    }
    target.flip();
  }

  private void await(List<@Nullable Future<?>> futures, long end, String what) {
    for (int other = 0; other < futures.size(); other++) {
      Future<?> future = futures.get(other);
      while (future != null) {
        try {
          future.get(POLL_MILLIS, TimeUnit.MILLISECONDS);
          future = null;
        } catch (TimeoutException e) {
          checkTime(end, late(futures), what);
        } catch (ExecutionException e) {
          throw failure(other, e.getCause());
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
          throw new CancellationException("the task is interrupted");
        }
      }
    }
  }

  private static List<Integer> late(List<@Nullable Future<?>> futures) {
    return IntStream.range(0, futures.size())
        .filter(other -> futures.get(other) != null && !futures.get(other).isDone())
        .boxed()
        .toList();
  }

  private RuntimeException failure(int other, Throwable cause) {
    if (cause instanceof IOException) {
      return new LostException(
          lenientFormat(
              "%s has lost %s in outer step %s (%s)",
              peers.get(index).name(), peers.get(other).name(), round - 1, cause),
          cause);
    }
    return new IllegalStateException(cause.getMessage(), cause);
  }

  @Override
  public void close() {
    threads.shutdownNow();
    try (Closer all = Closer.create()) {
      all.register(arrivals);
      for (SocketChannel channel : channels) {
        all.register(channel);
      }
    } catch (IOException e) {
      LOGGER.warn("a connection can't be closed: {}", e.toString());
    }
  }
}
