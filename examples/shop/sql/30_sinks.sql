-- One signed webhook for each abandoned cart, at most once a day for each person.
CREATE SINK cart_mail FROM abandoned_carts
  WITH (connector = 'webhook', url = '${CART_URL:-http://127.0.0.1:9999/cart}', key = 'user_key', cooldown = '24 hours',
        signing_secret = '${CART_SECRET:-whsec_ZGVtby1zZWNyZXQtY2hhbmdlLW1lLTAxMjM0NTY3}');
