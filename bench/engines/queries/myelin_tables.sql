-- The three kinds of events in the topic, each a stream with its own event time.
CREATE SOURCE bids (event_type INT,
  auction BIGINT FROM 'bid.auction', bidder BIGINT FROM 'bid.bidder', price BIGINT FROM 'bid.price', channel TEXT FROM 'bid.channel',
  url TEXT FROM 'bid.url', date_time TIMESTAMP FROM 'bid.dateTime', extra TEXT FROM 'bid.extra',
  WATERMARK FOR date_time AS date_time - INTERVAL '4 seconds') WITH (topic = 'nexmark');
CREATE SOURCE auctions (event_type INT,
  id BIGINT FROM 'auction.id', item_name TEXT FROM 'auction.itemName', description TEXT FROM 'auction.description',
  initial_bid BIGINT FROM 'auction.initialBid', reserve BIGINT FROM 'auction.reserve', date_time TIMESTAMP FROM 'auction.dateTime',
  expires TIMESTAMP FROM 'auction.expires', seller BIGINT FROM 'auction.seller', category BIGINT FROM 'auction.category',
  extra TEXT FROM 'auction.extra',
  WATERMARK FOR date_time AS date_time - INTERVAL '4 seconds') WITH (topic = 'nexmark');
CREATE SOURCE persons (event_type INT,
  id BIGINT FROM 'person.id', name TEXT FROM 'person.name', email_address TEXT FROM 'person.emailAddress',
  credit_card TEXT FROM 'person.creditCard', city TEXT FROM 'person.city', state TEXT FROM 'person.state',
  date_time TIMESTAMP FROM 'person.dateTime', extra TEXT FROM 'person.extra',
  WATERMARK FOR date_time AS date_time - INTERVAL '4 seconds') WITH (topic = 'nexmark');
-- By the time of the record, for q12.
CREATE SOURCE arrivals (event_type INT, bidder BIGINT FROM 'bid.bidder', received TIMESTAMPTZ FROM '$timestamp',
  WATERMARK FOR received AS received) WITH (topic = 'nexmark');

CREATE VIEW bid AS SELECT auction, bidder, price, channel, url, date_time, extra FROM bids WHERE event_type = 2;
CREATE VIEW auction AS
  SELECT id, item_name, description, initial_bid, reserve, date_time, expires, seller, category, extra FROM auctions WHERE event_type = 1;
CREATE VIEW person AS SELECT id, name, email_address, credit_card, city, state, date_time, extra FROM persons WHERE event_type = 0;
CREATE VIEW arrival AS SELECT bidder, received FROM arrivals WHERE event_type = 2;
